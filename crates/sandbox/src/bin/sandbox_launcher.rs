//! The launcher as a program of its own, for this crate's tests.

fn main() {
    sandbox::launcher_main()
}
