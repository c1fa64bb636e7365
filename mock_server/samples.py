"""The vendor's documented sample: it fails its own check character, and its age is of 2018."""

from mock_server.regions import Region

SAMPLE_NUMBER = "340421190710145412"
SAMPLE_NAME = "张三"
SAMPLE_REGION = Region("安徽省", "淮南市", "凤台县")
SAMPLE_AGE = "111"
