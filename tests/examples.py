"""Who is asked about: the standard's printed example, and people of the 1850s."""

NAME = "张三"
NUMBER = "11010519491231002X"
"""GB 11643-1999 prints it as its example."""

OTHER_NAME = "李四"
SAMPLE_NUMBER = "340421190710145412"
"""The vendor's documented sample; its check character is wrong (8 would be right)."""
