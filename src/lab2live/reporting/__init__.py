"""How results look: tables and charts in notebooks, HTML pages, numbers in words."""
