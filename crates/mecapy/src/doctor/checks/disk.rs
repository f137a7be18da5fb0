//! Room for data and temporary files, what kind of disk they are on, memory.

use domain::{Lang, Text};

use crate::console::bytes;
use crate::doctor::facts::{Disk, Place};
use crate::doctor::{Check, Finding, Problem};

/// Environments, results and files of a small company fit.
const GOOD_BYTES: u64 = 5_000_000_000;
/// Below this not even a base environment fits.
const LEAST_BYTES: u64 = 500_000_000;
/// A large environment has 300,000 files at most, a usual one 20,000.
const GOOD_FILES: u64 = 100_000;
/// Below this not even a base environment fits.
const LEAST_FILES: u64 = 10_000;
/// Of temporary files, and of memory.
const GOOD_SCRATCH_BYTES: u64 = 1_000_000_000;

/// File systems of other machines, on which a database's locks and shared
/// memory can't be relied on.
const REMOTE: &[&str] = &[
    "9p",
    "afs",
    "ceph",
    "cifs",
    "drvfs",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb2",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
];
/// File systems without owners and modes, so that others can read tokens.
const WITHOUT_MODES: &[&str] = &["exfat", "fuseblk", "msdos", "ntfs", "ntfs3", "vfat"];

pub(in crate::doctor) fn check(disk: &Disk) -> Finding {
    let mut problems = Vec::new();
    for place in std::iter::once(&disk.data).chain(&disk.database) {
        problems.extend(usable(place));
        problems.extend(room(place));
        problems.extend(files(place));
        problems.extend(kind(place));
    }
    problems.extend(scratch(&disk.temporary));
    problems.extend(disk.memory_bytes.and_then(memory));
    let free = |lang| bytes(disk.data.free_bytes, lang);
    let memory = |lang| disk.memory_bytes.map_or_else(|| "?".into(), |count| bytes(count, lang));
    let (path, on) = (disk.data.path.display(), on(&disk.data));
    let found = Text::new(
        format!("{} free for {path}{on}; memory {}", free(Lang::En), memory(Lang::En)),
        format!("{} libres pour {path}{on} ; mémoire {}", free(Lang::Fr), memory(Lang::Fr)),
    );
    Finding::new(Check::Disk, found, problems)
}

fn on(place: &Place) -> String {
    if place.kind.is_empty() { String::new() } else { format!(" ({})", place.kind) }
}

/// Whether the folder is one that can be written or made.
fn usable(place: &Place) -> Option<Problem> {
    let (path, existing) = (place.path.display(), place.existing.display());
    let missing = match (place.is_folder, place.writable) {
        (true, true) => return None,
        (false, _) => Text::new(
            format!("expected a folder, found the file {existing}"),
            format!("un dossier était attendu, trouvé : le fichier {existing}"),
        ),
        (true, false) if place.path == place.existing => Text::new(
            format!("this user can't write in {path}"),
            format!("cet utilisateur ne peut pas écrire dans {path}"),
        ),
        (true, false) => Text::new(
            format!("this user can't make {path}, as {existing} can't be written"),
            format!(
                "cet utilisateur ne peut pas créer {path} : {existing} n’est pas accessible en écriture"
            ),
        ),
    };
    let remedy = Text::new("choose another folder:", "choisissez un autre dossier :");
    Some(Problem::error(missing, remedy).run([ELSEWHERE.to_owned()]))
}

const ELSEWHERE: &str = "mecapy up --data /srv/mecapy";

fn room(place: &Place) -> Option<Problem> {
    let build = match place.free_bytes {
        ..LEAST_BYTES => Problem::error,
        LEAST_BYTES..GOOD_BYTES => Problem::warning,
        GOOD_BYTES.. => return None,
    };
    let (path, free) = (place.path.display(), place.free_bytes);
    let [en, fr] = [Lang::En, Lang::Fr];
    let missing = Text::new(
        format!(
            "expected {} free for {path}, {} at least; found {}",
            bytes(GOOD_BYTES, en),
            bytes(LEAST_BYTES, en),
            bytes(free, en)
        ),
        format!(
            "{} libres attendus pour {path}, au moins {} ; trouvé : {}",
            bytes(GOOD_BYTES, fr),
            bytes(LEAST_BYTES, fr),
            bytes(free, fr)
        ),
    );
    Some(build(missing, make_room()).run([ELSEWHERE.to_owned()]))
}

fn files(place: &Place) -> Option<Problem> {
    let free = place.free_files?;
    let build = match free {
        ..LEAST_FILES => Problem::error,
        LEAST_FILES..GOOD_FILES => Problem::warning,
        GOOD_FILES.. => return None,
    };
    let path = place.path.display();
    let missing = Text::new(
        format!(
            "the disk of {path} has only {free} files (inodes) left; environments of packages have many"
        ),
        format!(
            "le disque de {path} n’a plus que {free} fichiers (inodes) ; les environnements de paquets en ont beaucoup"
        ),
    );
    Some(build(missing, make_room()).run([ELSEWHERE.to_owned()]))
}

fn make_room() -> Text {
    Text::new(
        "make room, or choose a folder on another disk:",
        "faites de la place, ou choisissez un dossier sur un autre disque :",
    )
}

fn kind(place: &Place) -> Option<Problem> {
    let (path, kind) = (place.path.display(), place.kind.as_str());
    let remote = REMOTE.contains(&kind) || kind.starts_with("fuse.");
    let missing = match (remote, WITHOUT_MODES.contains(&kind)) {
        (true, _) => Text::new(
            format!("{path} is on {kind}, where the database's locks are not reliable"),
            format!(
                "{path} est sur {kind}, où les verrous de la base de données ne sont pas fiables"
            ),
        ),
        (false, true) => Text::new(
            format!("{path} is on {kind}, which keeps no modes, so others can read the tokens"),
            format!(
                "{path} est sur {kind}, qui ne garde pas les droits : d’autres peuvent lire les jetons"
            ),
        ),
        (false, false) => return None,
    };
    let remedy = Text::new(
        "choose a folder on a local disk, such as ext4 or xfs:",
        "choisissez un dossier sur un disque local, par exemple ext4 ou xfs :",
    );
    Some(Problem::warning(missing, remedy).run([ELSEWHERE.to_owned()]))
}

fn scratch(place: &Place) -> Option<Problem> {
    let path = place.path.display();
    if !(place.is_folder && place.writable && place.path == place.existing) {
        return Some(Problem::error(
            Text::new(
                format!("temporary files can't be made in {path}"),
                format!("les fichiers temporaires ne peuvent pas être créés dans {path}"),
            ),
            Text::new(
                "make the folder writable, or set TMPDIR to another one",
                "rendez ce dossier accessible en écriture, ou mettez-en un autre dans TMPDIR",
            ),
        ));
    }
    (place.free_bytes < GOOD_SCRATCH_BYTES).then(|| {
        let shown = |lang| (bytes(GOOD_SCRATCH_BYTES, lang), bytes(place.free_bytes, lang));
        let ((good_en, free_en), (good_fr, free_fr)) = (shown(Lang::En), shown(Lang::Fr));
        Problem::warning(
            Text::new(
                format!("expected {good_en} free in {path}, found {free_en}"),
                format!("{good_fr} libres attendus dans {path}, trouvé : {free_fr}"),
            ),
            Text::new(
                "make room, or set TMPDIR to another folder",
                "faites de la place, ou mettez un autre dossier dans TMPDIR",
            ),
        )
    })
}

fn memory(count: u64) -> Option<Problem> {
    (count < GOOD_SCRATCH_BYTES).then(|| {
        let shown = |lang| (bytes(GOOD_SCRATCH_BYTES, lang), bytes(count, lang));
        let ((good_en, free_en), (good_fr, free_fr)) = (shown(Lang::En), shown(Lang::Fr));
        Problem::warning(
            Text::new(
                format!("expected {good_en} of memory available, found {free_en}"),
                format!("{good_fr} de mémoire disponible attendus, trouvé : {free_fr}"),
            ),
            Text::new(
                "end other programs, or lower MECAPY_SLOTS and MECAPY_TEMPLATE_MEMORY_MB",
                "arrêtez d’autres programmes, ou réduisez MECAPY_SLOTS et MECAPY_TEMPLATE_MEMORY_MB",
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use crate::doctor::systems;

    #[test]
    fn room_and_files_are_bounded_on_both_sides() {
        let with = |free_bytes, free_files| {
            let mut disk = systems::roomy_disk();
            (disk.data.free_bytes, disk.data.free_files) = (free_bytes, free_files);
            check(&disk).status()
        };
        assert_eq!(with(5_000_000_000, Some(100_000)), Status::Ok);
        assert_eq!(with(5_000_000_000, None), Status::Ok);
        assert_eq!(with(4_999_999_999, Some(100_000)), Status::Warning);
        assert_eq!(with(499_999_999, Some(100_000)), Status::Failed);
        assert_eq!(with(5_000_000_000, Some(99_999)), Status::Warning);
        assert_eq!(with(5_000_000_000, Some(9_999)), Status::Failed);
    }

    #[test]
    fn disks_that_are_not_made_for_a_database_are_warned_of() {
        for (kind, word) in
            [("nfs4", "locks"), ("9p", "locks"), ("fuse.sshfs", "locks"), ("vfat", "tokens")]
        {
            let mut disk = systems::roomy_disk();
            disk.data.kind = kind.into();
            let finding = check(&disk);
            assert_eq!(finding.status(), Status::Warning, "{kind}");
            assert!(finding.problems[0].missing.en.contains(word), "{kind}");
        }
    }

    #[test]
    fn a_folder_that_can_not_be_made_is_a_fault_with_the_folder_that_is_in_the_way() {
        let mut disk = systems::roomy_disk();
        disk.data.writable = false;
        let finding = check(&disk);
        assert_eq!(finding.status(), Status::Failed);
        assert_eq!(
            finding.problems[0].missing.en,
            "this user can't make /srv/mecapy, as /srv can't be written"
        );
        disk.data.is_folder = false;
        assert!(check(&disk).problems[0].missing.fr.contains("trouvé : le fichier /srv"));
    }

    #[test]
    fn temporary_files_and_memory_are_looked_at_too() {
        let mut disk = systems::roomy_disk();
        (disk.temporary.free_bytes, disk.memory_bytes) = (10, Some(512_000_000));
        let finding = check(&disk);
        assert_eq!((finding.status(), finding.problems.len()), (Status::Warning, 2));
        assert!(finding.problems[1].missing.en.contains("found 512 MB"));
        disk.temporary.writable = false;
        assert_eq!(check(&disk).status(), Status::Failed);
    }
}
