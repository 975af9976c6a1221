"""The engine: plans requests as a token trie, packs it, scores and generates."""
