//! Opens the embedded engine for a service; knows no table.
