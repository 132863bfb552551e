//! Whole-mesh tests seen from outside, and the tidy test.
