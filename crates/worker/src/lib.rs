//! Claims tasks, prepares and runs them, and reports.
