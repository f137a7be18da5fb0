//! Fetching from real Git servers, and from ones that mean harm.

mod network;
mod packs;
mod process;
mod repositories;
mod trees;
mod world;
