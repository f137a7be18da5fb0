//! What `git http-backend` serves.

use git::{Error, Files, Special};
use test_support::git::{Repository, TOKEN};

use crate::world::{World, login, paths, told};

/// A server with a repository of two functions, and its commit.
fn two_functions() -> (World, Repository, String) {
    let world = World::new();
    let repository = Repository::new().unwrap();
    repository.write("bolt/mecapy.yaml", "name: bolt\n").unwrap();
    repository.write("bolt/data/été.csv", "1;2\n").unwrap();
    repository.write("beam/mecapy.yaml", "name: beam\n").unwrap();
    let commit = repository.commit().unwrap();
    (world, repository, commit)
}

#[tokio::test]
async fn a_branch_a_tag_a_commit_and_the_default_branch_are_found() {
    let (world, repository, first) = two_functions();
    repository.git(&["tag", "light"]).unwrap();
    repository.git(&["tag", "-a", "annotated", "-m", "x"]).unwrap();
    repository.git(&["checkout", "--quiet", "-b", "feature/beams"]).unwrap();
    repository.write("beam/handler.py", "x = 1\n").unwrap();
    let second = repository.commit().unwrap();
    repository.git(&["checkout", "--quiet", "main"]).unwrap();
    world.server.serve(&repository, "f.git").unwrap();
    for (reference, commit) in [
        ("", &first),
        ("HEAD", &first),
        ("main", &first),
        ("light", &first),
        ("annotated", &first),
        ("refs/heads/main", &first),
        ("refs/tags/light", &first),
        (first.as_str(), &first),
        ("feature/beams", &second),
        (second.as_str(), &second),
    ] {
        let fetched = world.fetch(reference, "").await.unwrap();
        assert_eq!(&fetched.commit, commit, "{reference}");
        assert_eq!(fetched.files.len(), if commit == &first { 3 } else { 4 });
    }
}

#[tokio::test]
async fn the_files_below_a_folder_are_fetched_byte_for_byte() {
    let (world, repository, _) = two_functions();
    repository.write("bolt/deep/a/b/c.bin", [0, 255, 10, 13]).unwrap();
    repository.write("bolt/empty", "").unwrap();
    repository.commit().unwrap();
    world.server.serve(&repository, "f.git").unwrap();
    let fetched = world.fetch("", "bolt/").await.unwrap();
    assert_eq!(paths(&fetched), ["data/été.csv", "deep/a/b/c.bin", "empty", "mecapy.yaml"]);
    let content = |path: &str| &fetched.files.iter().find(|file| file.0 == path).unwrap().1;
    assert_eq!(content("deep/a/b/c.bin"), &[0, 255, 10, 13]);
    assert_eq!(content("data/été.csv"), "1;2\n".as_bytes());
    assert_eq!(paths(&world.fetch("", "bolt/deep/a").await.unwrap()), ["b/c.bin"]);
}

#[tokio::test]
async fn objects_that_are_written_as_changes_to_others_are_put_together() {
    let (world, repository, _) = two_functions();
    let lines = |seed: usize| {
        let line = |n: usize| format!("{} {}\n", n, if n == seed { "changed" } else { "as ever" });
        (0..2000).map(line).collect::<String>()
    };
    for seed in 0..60 {
        repository.write(&format!("tables/{seed}.txt"), lines(seed)).unwrap();
    }
    repository.commit().unwrap();
    repository.git(&["repack", "-a", "-d", "-q", "--depth=50", "--window=50"]).unwrap();
    let pack = repository.git(&["count-objects", "-v"]).unwrap();
    world.server.serve(&repository, "f.git").unwrap();
    let fetched = world.fetch("", "tables").await.unwrap();
    assert_eq!(fetched.files.len(), 60, "{pack}");
    for (path, content) in &fetched.files {
        let seed = path.trim_end_matches(".txt").parse().unwrap();
        assert_eq!(content, lines(seed).as_bytes(), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_told_by_name() {
    let (world, repository, _) = two_functions();
    repository.git(&["branch", "same"]).unwrap();
    repository.write("x", "x").unwrap();
    repository.commit().unwrap();
    repository.git(&["tag", "same"]).unwrap();
    world.server.serve(&repository, "f.git").unwrap();
    world.server.serve(&Repository::new().unwrap(), "empty.git").unwrap();
    let commit = "1234567890123456789012345678901234567890";
    for (name, reference, path, says) in [
        ("none.git", "", "", "git_not_found /git_url: 127.0.0.1 has no such repository"),
        ("empty.git", "", "", "has no branch, tag or commit \"HEAD\""),
        (
            "f.git",
            "mian",
            "",
            "git_ref_not_found /ref: the repository has no branch, tag or commit \"mian\"",
        ),
        ("f.git", commit, "", "git_ref_not_found /ref"),
        ("f.git", "same", "", "say refs/heads/same or refs/tags/same"),
        ("f.git", "a b", "", "body_value /ref: expected a branch, a tag or the 40 digits"),
        ("f.git", "", "Bolt", "git_folder_not_found /path: the repository has no folder \"Bolt\""),
        ("f.git", "", "bolt/mecapy.yaml", "git_folder_not_found"),
        ("f.git", "", "../etc", "body_value /path: expected the path of a folder inside"),
    ] {
        let error = world
            .fetcher()
            .fetch(world.request(name, reference, path), Files::new())
            .await
            .unwrap_err();
        assert!(told(&error).contains(says), "{name} {reference} {path}: {}", told(&error));
    }
}

#[tokio::test]
async fn a_private_repository_is_read_with_a_token_that_nobody_is_told() {
    let (world, repository, commit) = two_functions();
    world.server.serve(&repository, "f.git").unwrap();
    let mut request = world.request("private/f.git", "", "bolt");
    let error = world.fetcher().fetch(request.clone(), Files::new()).await.unwrap_err();
    assert!(told(&error).contains("git_not_found /git_token: 127.0.0.1 doesn't let"), "{error}");
    request.login = login("wr0ng-token");
    let error = world.fetcher().fetch(request.clone(), Files::new()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized(_)) && !told(&error).contains("wr0ng"), "{error}");
    for token in [TOKEN, &format!("ada:{TOKEN}")] {
        request.login = login(token);
        assert_eq!(
            world.fetcher().fetch(request.clone(), Files::new()).await.unwrap().commit,
            commit
        );
        assert!(!format!("{request:?}").contains(TOKEN));
    }
}

#[tokio::test]
async fn links_submodules_and_lfs_pointers_are_refused_together_each_at_its_path() {
    let (world, repository, commit) = two_functions();
    std::os::unix::fs::symlink("/etc/passwd", repository.path().join("bolt/link")).unwrap();
    repository
        .write("bolt/big.bin", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
        .unwrap();
    let module = format!("160000,{commit},bolt/module");
    repository.git(&["update-index", "--add", "--cacheinfo", &module]).unwrap();
    repository.git(&["add", "bolt/link", "bolt/big.bin"]).unwrap();
    repository.git(&["commit", "--quiet", "-m", "x"]).unwrap();
    world.server.serve(&repository, "f.git").unwrap();
    let error = world.fetch("", "bolt").await.unwrap_err();
    let entry = |path: &str, what| (path.to_owned(), what);
    assert_eq!(
        error,
        Error::Entries(vec![
            entry("big.bin", Special::Lfs),
            entry("link", Special::Link),
            entry("module", Special::Submodule),
        ])
    );
    let told = told(&error);
    for says in [
        "git_entry_refused big.bin: expected a plain file, found a pointer of Git LFS",
        "link: expected a plain file, found a symbolic link; put the file itself there",
        "module: expected a plain file, found a submodule, and those are not fetched",
        "module : attendu : un fichier ordinaire ; trouvé : un sous-module",
    ] {
        assert!(told.contains(says), "{told}");
    }
    // The other folder has none of it, and no path leads through them.
    assert_eq!(world.fetch("", "beam").await.unwrap().files.len(), 1);
    let error = world.fetch("", "bolt/link/x").await.unwrap_err();
    assert_eq!(error, Error::Entries(vec![entry("bolt/link", Special::Link)]));
}

#[tokio::test]
async fn a_repository_of_the_other_hash_is_refused_clearly() {
    let world = World::new();
    let repository = Repository::with_options(&["--object-format=sha256"]).unwrap();
    repository.write("a", "a").unwrap();
    repository.commit().unwrap();
    world.server.serve(&repository, "f.git").unwrap();
    let error = world.fetch("", "").await.unwrap_err();
    assert!(told(&error).contains("names its objects by SHA-256, which is not read here"));
}
