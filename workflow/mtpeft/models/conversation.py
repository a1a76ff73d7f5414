"""Requests and answers as one text: as a chat template writes messages, or on lines of their own."""

from collections.abc import Callable, Sequence

from mtpeft.core.errors import UserError


def conversation(render: Callable[..., str], turns: Sequence[tuple[str, str]], request: str) -> str:
    """Return what a chat template writes of examples, each a request with its answer, and of the last request."""
    said = [
        {"role": role, "content": content}
        for turn in turns
        for role, content in zip(("user", "assistant"), turn, strict=True)
    ]
    return render([*said, {"role": "user", "content": request}], add_generation_prompt=True)


def lines(turns: Sequence[tuple[str, str]], request: str, *, begins: str) -> str:
    """Return examples on lines above the last request."""
    return "".join(f"{asked}{begins}{answer}\n" for asked, answer in turns) + request


def parts_around(text: str, places: Sequence[str], *, model: str) -> tuple[str, ...]:
    """Return what stands around places in a text.

    Raises:
        UserError: not all of them stand in it, in their order.
    """
    parts: list[str] = []
    for place in places:
        before, found, text = text.partition(place)
        if not found:
            raise UserError(
                f"The chat template of '{model}' does not write examples as messages, one after another; write "
                f"`chat_template: false` under 'models.{model}', and a 'prompt'."
            )
        parts.append(before)
    return (*parts, text)
