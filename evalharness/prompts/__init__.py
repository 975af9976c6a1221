"""The samples as one model is asked them: read, with examples, as text, as chats, as letters."""
