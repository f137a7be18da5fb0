//! The use cases: deploy, submit, cancel, finish, reap.
