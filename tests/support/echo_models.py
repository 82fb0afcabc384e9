"""Models of the echo backend: a folder with a configuration and an empty version each."""

from pathlib import Path


def echo_model(root: Path, name: str, shape: str = "-1", datatype: str = "TYPE_FP32", more: str = "", output: str = "") -> None:
    """One input INPUT0 that is given back as OUTPUT0; `more`: what else config.pbtxt says, `output`: of OUTPUT0."""
    (root / name / "1").mkdir(parents=True)
    tensor = f'data_type: {datatype} dims: [{shape}]'
    (root / name / "config.pbtxt").write_text(
        f'backend: "echo"\ninput {{ name: "INPUT0" {tensor} }}\noutput {{ name: "OUTPUT0" {tensor} {output} }}\n{more}\n')


def delay(microseconds: int) -> str:
    return f'parameters {{ key: "echo_delay_us" value {{ string_value: "{microseconds}" }} }}\n'


def decoupled(responses: int, gap: int = 0) -> str:
    """`gap`: microseconds between two responses."""
    number = 'parameters {{ key: "{}" value {{ string_value: "{}" }} }}\n'
    return "model_transaction_policy { decoupled: true }\n" + number.format("echo_responses", responses) + number.format("echo_gap_us", gap)


def accumulate() -> str:
    return 'parameters { key: "echo_accumulate" value { string_value: "true" } }\n'
