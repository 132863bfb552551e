//! The one command people type: runs the mesh, sends, verifies, measures.
