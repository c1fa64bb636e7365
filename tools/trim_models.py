"""botocore's data, cut down to the operations that are called.

botocore carries the models of all of AWS and reads those of a service whole, with every word of
their documentation. What is kept here is word for word AWS's own.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from botocore.loaders import Loader

PARTITIONS = ("aws", "aws-cn")
"""Where the service may be deployed."""

_NEEDED = "clientContextParams"
"""botocore reads the documentation of these settings, which S3 has, and of nothing else."""

_SETTINGS = ("_retry.json", "sdk-default-configuration.json")

Json = dict[str, Any]


def trim(data: Path, operations: Mapping[str, Iterable[str]]) -> None:
    """Replace the contents of ``botocore/data``; raises KeyError for an unknown operation."""
    loader = Loader(extra_search_paths=[str(data)], include_default_search_paths=False)
    kept: dict[str, Any] = {
        name: json.loads((data / name).read_text("utf-8")) for name in _SETTINGS
    }
    for name in ("endpoints.json", "partitions.json"):
        kept[name] = _partitions(json.loads((data / name).read_text("utf-8")), operations)
    for service, called in operations.items():
        folder = f"{service}/{loader.determine_latest_version(service, 'service-2')}"
        model = loader.load_service_model(service, "service-2")
        kept[f"{folder}/service-2.json"] = _service(model, called)
        kept[f"{folder}/endpoint-rule-set-1.json"] = loader.load_service_model(
            service, "endpoint-rule-set-1"
        )
    shutil.rmtree(data)
    for name, content in kept.items():
        file = data / name
        file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_undocumented(content), ensure_ascii=False, separators=(",", ":"))
        file.write_text(text, "utf-8")


def _partitions(document: Json, services: Iterable[str]) -> Json:
    """Those of PARTITIONS, with the endpoints of our services where services are listed."""
    wanted = set(services)
    found = [
        partition
        for partition in document["partitions"]
        if partition.get("id", partition.get("partition")) in PARTITIONS
    ]
    for partition in found:
        listed = partition.get("services", {})
        for service in listed.keys() - wanted:
            del listed[service]
    return {**document, "partitions": found}


def _service(model: Json, called: Iterable[str]) -> Json:
    operations = {name: model["operations"][name] for name in sorted(called)}
    shapes: Json = {}
    todo = [*_shape_names(operations)]
    while todo:
        name = todo.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            todo += _shape_names(shapes[name])
    return {**model, "operations": operations, "shapes": dict(sorted(shapes.items()))}


def _shape_names(value: object) -> Iterable[str]:
    """Every name that is said to be one of a shape, at any depth."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "shape" and isinstance(inner, str):
                yield inner
            else:
                yield from _shape_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _shape_names(inner)


def _undocumented(value: Any) -> Any:  # noqa: ANN401  # JSON
    """Without documentation, which is always text; a shape of that name is none."""
    if isinstance(value, dict):
        return {
            key: inner if key == _NEEDED else _undocumented(inner)
            for key, inner in value.items()
            if not (key == "documentation" and isinstance(inner, str))
        }
    return [_undocumented(inner) for inner in value] if isinstance(value, list) else value
