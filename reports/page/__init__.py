"""The page that opens without network and prices again."""
