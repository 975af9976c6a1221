"""The built-in transformer: configuration, model, weights, tokenizer. It knows nothing of tasks."""
