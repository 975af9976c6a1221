"""Why some kinds of models cannot answer some kinds of requests, in words that backends share."""

NOT_MASKED = (
    "each token is scored with itself masked, which only masked models can do, such as BERT, "
    "RoBERTa, ALBERT and ModernBERT (hf:PATH)"
)
