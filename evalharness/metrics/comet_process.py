"""Scores translations with COMET, for comet.py: run by another Python, which has unbabel-comet.

    python comet_process.py MODEL

Once the model is loaded, a line with the package's version is written; then, for each line with a
list of {"src": ..., "mt": ..., "ref": ...}, one with their scores. Lines are JSON, and the only
thing on the standard output: what libraries print goes to the standard error.
"""

import json
import os
import sys
from importlib.metadata import version
from pathlib import Path


def main(name: str) -> None:
    """Answer until the standard input ends. `name` is that of a model, or a checkpoint's path."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path.pop(0)  # this folder, in which another module is called comet

    import comet
    import torch

    path = name if Path(name).is_file() else comet.download_model(name)
    model = comet.load_from_checkpoint(path)
    gpus = int(torch.cuda.is_available())
    print(json.dumps({"version": version("unbabel-comet")}), file=answers, flush=True)
    for line in sys.stdin:
        segments = json.loads(line)
        scores = model.predict(segments, batch_size=8, gpus=gpus, progress_bar=False).scores
        print(json.dumps([float(score) for score in scores]), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
