//! Black-box tests of the contracts: the files that others build on.

mod asyncapi;
mod vectors;
