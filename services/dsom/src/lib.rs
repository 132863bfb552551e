//! The one command people type: runs the mesh, sends, verifies, measures.

pub mod generate;
