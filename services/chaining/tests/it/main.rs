//! Chaining as its neighbours see it: frames go into a real `TX`, blocks, proofs and checkpoints come out.

mod doubles;
mod fsck;
mod log;
mod path;
mod world;
