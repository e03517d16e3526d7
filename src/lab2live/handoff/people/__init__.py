"""For people: the brief, who owns what, the sheet they sign, the runbook, and how ready for production it is."""
