"""Label tables: from report tables to one row per ECG, with evidence."""
