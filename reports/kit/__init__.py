"""What every report is made with: tables, words, files, style."""
