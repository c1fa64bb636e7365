"""What botocore knows of some operations; also run as a program inside the package."""

import json
import sys
from typing import Any

from botocore.session import Session

REGIONS = ("us-east-1", "ap-east-1", "cn-north-1", "cn-northwest-1")


def outline(operations: dict[str, list[str]]) -> dict[str, Any]:
    """Endpoints, methods, and every shape with its types and rules."""
    session = Session()
    session.set_credentials("id", "key")
    return {
        service: {
            "endpoints": [
                session.create_client(service, region_name=region).meta.endpoint_url
                for region in REGIONS
            ],
            "operations": {name: _operation(session, service, name) for name in called},
        }
        for service, called in operations.items()
    }


def _operation(session: Session, service: str, name: str) -> dict[str, Any]:
    client = session.create_client(service, region_name=REGIONS[0])
    model = client.meta.service_model.operation_model(name)
    methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
    return {
        "method": callable(getattr(client, methods[name])),
        "http": model.http,
        "input": _shape(model.input_shape, ()),
        "output": _shape(model.output_shape, ()),
        "errors": [_shape(error, ()) for error in model.error_shapes],
    }


def _shape(shape: Any, above: tuple[str, ...]) -> Any:  # botocore has no types
    if shape is None or shape.name in above:
        return None if shape is None else shape.name
    below = (*above, shape.name)
    return {
        "name": shape.name,
        "type": shape.type_name,
        "required": getattr(shape, "required_members", []),
        "rules": dict(shape.metadata),
        "serialization": dict(shape.serialization),
        "members": {name: _shape(one, below) for name, one in getattr(shape, "members", {}).items()}
        if shape.type_name == "structure"
        else {},
        "inner": [
            _shape(getattr(shape, part), below)
            for part in ("member", "key", "value")
            if hasattr(shape, part)
        ],
    }


if __name__ == "__main__":
    print(json.dumps(outline(json.loads(sys.argv[1]))))
