"""Why some kinds of models cannot answer some kinds of requests, in words that backends share."""

NOT_MASKED = (
    "each token is scored with itself masked, which only masked models can do, such as BERT, "
    "RoBERTa, ALBERT and ModernBERT (hf:PATH)"
)
ENCODERS_NEED_A_SOURCE = (
    "the texts have no prompt, and an encoder-decoder model scores or writes a text given another "
    "one; causal models answer this task"
)
MASKED_MODELS_SCORE_NO_CONTINUATIONS = (
    "a masked model gives no likelihood of a text that follows another; it answers tasks whose "
    "texts are scored with each token masked alone, and causal models answer this one"
)
MASKED_MODELS_WRITE_NOTHING = "a masked model writes no texts; causal and encoder-decoder models do"


def sees_later_tokens(architecture: str) -> str:
    """Of a class that a probe has found out."""
    return (
        f"transformers' {architecture} gives a token another probability when the tokens behind it "
        "change, so that no text can be scored with it; it can be asked for texts"
    )
