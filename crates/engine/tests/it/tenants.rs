//! Whatever takes an id answers another company as if there were nothing.

use std::time::Duration;

use domain::permission::Role;
use domain::{ArtifactId, DeploymentId, TokenId};
use engine::access::TokenWanted;
use engine::companies::Quotas;
use engine::{Error, Report, StagedArtifact};

use crate::world::{PATIENCE, World, result};

fn missing<T>(answer: Result<T, Error>, method: &str) {
    match answer {
        Err(Error::NotFound(_)) => {}
        Err(error) => panic!("{method}: expected that nothing is found, found {error}"),
        Ok(_) => panic!("{method}: another company was answered"),
    }
}

/// A finished task of the administrator with one artifact.
async fn finished(world: &World) -> (domain::TaskId, ArtifactId) {
    let task = world.queue("{}").await;
    let work = world.next().await.unwrap();
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"a,b\n").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let artifact = StagedArtifact { name: "table.csv".to_owned(), bytes: 4, file };
    let report =
        Report { end: result("{}"), measured: Default::default(), artifacts: vec![artifact] };
    world.engine.finish(work, report).await.unwrap();
    let artifact = world.engine.artifacts(&world.admin, task).await.unwrap()[0].id;
    (task, artifact)
}

#[tokio::test]
async fn tasks_of_another_company_are_not_there() {
    let world = World::with_echo().await;
    let other = world.company("other", Quotas::default()).await;
    let engine = &world.engine;
    let (task, artifact) = finished(&world).await;
    // One whose end is remembered, one that waits, one that runs.
    let running = world.queue("{}").await;
    let _work = world.next().await.unwrap();
    let waiting = world.queue("{}").await;
    for id in [task, running, waiting] {
        missing(engine.task(&other, id).await, "task");
        missing(engine.cancel(&other, id).await, "cancel");
        missing(engine.delete_task(&other, id).await, "delete_task");
        missing(engine.result(&other, id).await, "result");
        missing(engine.logs(&other, id).await, "logs");
        missing(engine.task_inputs(&other, id).await, "task_inputs");
        missing(engine.artifacts(&other, id).await, "artifacts");
        missing(engine.artifact(&other, id, artifact).await, "artifact");
        missing(engine.watch_task(&other, id, 0).await, "watch_task");
        // Not even the time it takes tells that there is something.
        let waited = tokio::time::timeout(PATIENCE, engine.wait(&other, id, PATIENCE * 2)).await;
        missing(waited.expect("it answers at once"), "wait");
    }
    missing(engine.download(&other, &artifact.to_string()).await, "download");
    assert!(engine.tasks(&other, Default::default(), None, 10).await.unwrap().items.is_empty());
    assert!(engine.artifact(&world.admin, task, artifact).await.is_ok());
}

#[tokio::test]
async fn functions_and_deployments_of_another_company_are_not_there() {
    let world = World::with_echo().await;
    let other = world.company("other", Quotas::default()).await;
    let engine = &world.engine;
    let echo = engine.function(&world.admin, &"echo".parse().unwrap()).await.unwrap();
    let id = echo.version.function.to_string();
    for reference in ["echo", "main:echo", "main:echo@0.1.0", id.as_str()] {
        let reference = reference.parse().unwrap();
        missing(engine.function(&other, &reference).await, "function");
        missing(engine.versions(&other, &reference, None, 10).await, "versions");
        missing(engine.archive(&other, &reference).await, "archive");
        missing(engine.delete_function(&other, &reference).await, "delete_function");
        let submission = engine::Submission {
            inputs: "{}".into(),
            priority: Default::default(),
            timeout_s: None,
            waits: false,
            origin: None,
        };
        missing(engine.submit(&other, &reference, submission).await, "submit");
    }
    let deployment: DeploymentId = echo.version.deployment;
    missing(engine.deployment(&other, deployment).await, "deployment");
    missing(engine.watch_deployment(&other, deployment, 0).await, "watch_deployment");
    let waited = engine.wait_deployment(&other, deployment, Duration::from_secs(60)).await;
    missing(waited, "wait_deployment");
}

#[tokio::test]
async fn people_and_tokens_of_another_company_are_not_there() {
    let world = World::with_echo().await;
    let other = world.company("other", Quotas::default()).await;
    let (engine, home) = (&world.engine, world.admin.company);
    missing(engine.company(&other, home).await, "company");
    missing(engine.members(&other, home).await, "members");
    missing(engine.put_member(&other, home, "spy", Role::Member).await, "put_member");
    missing(engine.remove_member(&other, home, world.admin.user).await, "remove_member");
    let theirs: TokenId = engine.tokens(&world.admin).await.unwrap()[0].id;
    missing(engine.revoke_token(&other, theirs).await, "revoke_token");
    let wanted = TokenWanted { name: "spy".to_owned(), expires_at: None, scopes: None };
    let minted = engine.create_token(&other, world.admin.user, wanted).await;
    missing(minted, "create_token");
    let content = Box::new(std::io::Cursor::new(b"x".to_vec()));
    let file = engine.upload_file(&world.admin, "a.csv", None, content).await.unwrap();
    missing(engine.download(&other, &file.id.to_string()).await, "download");
}
