"""Codes of problems and of rows that cannot be asked, in words."""

from collections.abc import Mapping

TEXTS: Mapping[str, tuple[str, str]] = {
    "malformed_request": ("the request cannot be read", "请求无法读取"),
    "payload_too_large": ("the body is too large", "请求体过大"),
    "unsupported_media_type": ("the content type is not supported", "不支持的内容类型"),
    "unauthenticated": ("no valid key", "密钥无效"),
    "forbidden": ("the key lacks the scope", "密钥没有相应权限"),
    "not_found": ("not found", "找不到"),
    "method_not_allowed": ("the path does not take this method", "该路径不支持此方法"),
    "too_many_requests": ("too many requests at once", "请求过于频繁"),
    "erased": ("the person was erased", "个人信息已被删除"),
    "name_empty": ("the name is empty", "姓名为空"),
    "name_invalid": ("the name cannot be verified", "姓名无法核验"),
    "id_number_empty": ("the number is empty", "身份证号为空"),
    "id_number_invalid": ("not a resident identity number", "不是有效的身份证号"),
    "id_number_not_text": (
        "the number is no text and has lost digits; make the column text",
        "身份证号不是文本，末几位已丢失；请把该列设为文本后重新填写",
    ),
    "test_identity": ("a test identity", "测试身份"),
    "idempotency_key_reused": (
        "the Idempotency-Key came with another payload",
        "Idempotency-Key 已用于其他内容",
    ),
    "verification_in_progress": ("it is being asked right now", "正在核验中"),
    "not_unknown": ("only an unknown outcome can be resolved", "只有结果未知的核验可以处理"),
    "upstream_throttled": ("the upstream throttles", "上游限流"),
    "upstream_maintenance": ("the upstream is under maintenance", "上游系统维护中"),
    "upstream_unreachable": ("the upstream cannot be reached", "连不上上游"),
    "quota_exhausted": ("the package is used up", "套餐次数已用完"),
    "package_expired": ("the package has expired", "套餐已过期"),
    "account_in_arrears": ("the upstream account is in arrears", "上游账户欠费"),
    "appcode_invalid": ("the upstream refuses our AppCode", "上游不接受 AppCode"),
    "upstream_rejected": ("the upstream refused our request", "上游拒绝了我们的请求"),
    "outcome_unknown": ("unknown, may have been charged", "结果未知，可能已扣费"),
    "closed_without_outcome": ("settled without an outcome", "已人工结案，没有结果"),
    "service_unavailable": ("a part of the service is out of reach", "服务的某个部分暂时不可用"),
    "budget_exhausted": ("the cap of the day or month is reached", "已达到当日或当月的上限"),
    "batch_state": ("the batch is not in a state for this", "批次当前状态不允许此操作"),
    "batch_file_unreadable": ("the file cannot be read", "文件无法读取"),
    "cell_too_long": ("a cell is too long", "单元格内容过长"),
    "cell_merged": ("a merged cell", "合并单元格"),
    "formula": ("a formula instead of a value", "单元格是公式而不是值"),
    "reference_invalid": (
        "the reference must be 1 to 64 of A-Z a-z 0-9 . _ : -, and no identity number",
        "参考号只能由 1 到 64 个 A-Z a-z 0-9 . _ : - 组成，且不得是身份证号",
    ),
    "requested": ("by a human", "人工暂停"),
    "waiting": ("not asked", "未核验"),
    "duplicate_of": ("the same person as in row {row}, free", "与第 {row} 行相同，不重复扣费"),
}

OUTCOMES: Mapping[str, tuple[str, str]] = {
    "match": ("match", "一致"),
    "mismatch": ("mismatch", "不一致"),
    "no_record": ("no_record", "库中无此号"),
}

BILLED: Mapping[str, tuple[str, str]] = {
    "yes": ("yes", "是"),
    "no": ("no", "否"),
    "unknown": ("unknown", "未知"),
}


def in_words(code: str, language: str) -> str:
    """What a code means; nothing for none, the code itself for one that is not known here.

    >>> in_words("duplicate_of:7", "en"), in_words("name_empty", "zh")
    ('the same person as in row 7, free', '姓名为空')
    """
    name, _, row = code.partition(":")
    texts = TEXTS.get(name)
    return code if texts is None else texts[language == "zh"].format(row=row)
