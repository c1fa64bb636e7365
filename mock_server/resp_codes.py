"""The vendor's answers: respCode -> respMessage, as its service description prints them."""

MATCH = "0000"
NAME_EMPTY = "0001"
NAME_SPECIAL = "0002"
NUMBER_EMPTY = "0003"
NUMBER_MALFORMED = "0004"
NO_RECORD = "0007"
MISMATCH = "0008"
MAINTENANCE = "0010"

MESSAGES = {
    MATCH: "身份证信息匹配",
    NAME_EMPTY: "开户名不能为空",
    NAME_SPECIAL: "开户名不能包含特殊字符",
    NUMBER_EMPTY: "身份证号不能为空",
    NUMBER_MALFORMED: "身份证号格式错误",
    NO_RECORD: "无此身份证号码",
    MISMATCH: "身份证信息不匹配",
    MAINTENANCE: "系统维护，请稍后再试",
}
UNLISTED = "0005"
UNLISTED_MESSAGE = "未知错误"

# Only these come with the fields derived from the number (infer).
WITH_DERIVED_FIELDS = frozenset({MATCH, MISMATCH})
# The vendor looked the person up; the other codes speak of the request, or of the vendor.
ON_RECORD = frozenset({MATCH, MISMATCH, NO_RECORD})
