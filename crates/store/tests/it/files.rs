//! Uploaded files and artifacts.

use domain::{ArtifactId, FileId};
use store::files::File;
use store::tasks::Artifact;

use crate::world::{World, completed, digest};

on_every_backend! { a_file_is_read_as_it_was_written, artifacts_are_found_alone_and_by_task }

pub(crate) fn artifact(name: &str) -> Artifact {
    Artifact {
        id: ArtifactId::new(),
        name: name.to_owned(),
        media_type: "image/png".to_owned(),
        bytes: 1 << 33,
        digest: digest(3),
    }
}

async fn a_file_is_read_as_it_was_written(world: World) {
    let tenant = world.tenant("acme").await;
    let file = File {
        company: tenant.company,
        id: FileId::new(),
        user: tenant.user,
        name: "mesure à 20 °C.csv".to_owned(),
        media_type: "text/csv".to_owned(),
        bytes: 12,
        digest: digest(8),
        created_at: world.now(),
    };
    world.store.create_file(file.clone()).await.unwrap();
    let read = world.store.file(tenant.company, file.id).await.unwrap();
    assert_eq!(read, Some(file));
    assert!(world.store.file(tenant.company, FileId::new()).await.unwrap().is_none());
}

async fn artifacts_are_found_alone_and_by_task(world: World) {
    let tenant = world.tenant("acme").await;
    let lease = world.start(&tenant).await;
    let mut ending = completed("{}");
    ending.artifacts = vec![artifact("a/plot.png"), artifact("b.csv")];
    let written = ending.artifacts.clone();
    world.store.finish(lease, ending).await.unwrap();
    let listed = world.store.artifacts(tenant.company, lease.task).await.unwrap();
    assert_eq!(listed, written);
    let one = world.store.artifact(tenant.company, written[1].id).await.unwrap();
    assert_eq!(one, Some((lease.task, written[1].clone())));
}
