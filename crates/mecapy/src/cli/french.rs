//! The help pages in French: each English line with its translation.

use clap::{Arg, ArgAction, Command, Id};

/// Replaces every line of help of `command` and of its subcommands.
pub(super) fn translate(command: Command) -> Command {
    let about = command.get_about().map(|about| french(&about.to_string()));
    let after = command.get_after_help().map(|after| french(&after.to_string()));
    let has_version = command.get_version().is_some();
    let mut command = command
        .disable_help_flag(true)
        .disable_version_flag(true)
        .mut_args(argument)
        .mut_subcommands(translate)
        .subcommand_help_heading("Commandes ")
        .help_template(TEMPLATE)
        .arg(
            Arg::new("help")
                .short('h')
                .long("help")
                .action(ArgAction::Help)
                .help(french("Print help"))
                .help_heading(OPTIONS),
        );
    if has_version {
        command = command.arg(
            Arg::new("version")
                .short('V')
                .long("version")
                .action(ArgAction::Version)
                .help(french("Print version"))
                .help_heading(OPTIONS),
        );
    }
    // Headings stand in the order of their first option: those of every command
    // come last, as in English.
    let of_every: Vec<Id> = command
        .get_arguments()
        .filter(|argument| argument.is_global_set())
        .map(|argument| argument.get_id().clone())
        .collect();
    for id in of_every {
        command = command.mut_arg(id, |argument| argument);
    }
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    command
}

fn argument(argument: Arg) -> Arg {
    let help = argument.get_help().map(|help| french(&help.to_string()));
    let heading = match argument.get_help_heading() {
        Some(heading) => french(heading),
        None if argument.is_positional() => "Arguments ",
        None => OPTIONS,
    };
    let argument = argument.help_heading(heading);
    match help {
        Some(help) => argument.help(help),
        None => argument,
    }
}

/// The translation of a line; one that has none stays as it is, which a test
/// doesn't let happen.
fn french(english: &str) -> &'static str {
    LINES.iter().find(|(en, _)| *en == english).map_or("", |(_, fr)| fr)
}

/// With the space that stands before a colon in French; clap adds the colon.
const OPTIONS: &str = "Options ";

const TEMPLATE: &str = "{about-with-newline}\nUtilisation : {usage}\n\n{all-args}{after-help}\n";

#[rustfmt::skip]
const LINES: &[(&str, &str)] = &[
    ("Runs Python calculations of engineers, isolated and exact", "Exécute les calculs Python des ingénieurs, isolés et exacts"),
    (super::EXIT_CODES, "Codes de sortie : 0 fait · 1 le calcul, le test, le déploiement ou le contrôle de la machine a échoué · 2 ligne de commande, réglages ou entrées inutilisables · 3 serveur injoignable · 4 accès refusé · 5 serveur surchargé ou en panne · 6 encore en cours à la fin de --wait"),
    ("Options of every command", "Options de toutes les commandes "),
    ("Print JSON only, for programs", "N’écrire que du JSON, pour les programmes"),
    ("Language of messages, en or fr; else that of the locale", "Langue des messages, en ou fr ; sinon celle de l’environnement"),
    ("Settings file (TOML)", "Fichier de réglages (TOML)"),
    ("Folder of the local server's data", "Dossier des données du serveur local"),
    ("Server to talk to; else the local one", "Serveur à contacter ; sinon celui de cette machine"),
    ("Start everything on this machine", "Tout démarrer sur cette machine"),
    ("Answer requests only, beside workers; on PostgreSQL, Redis and S3", "Répondre seulement aux requêtes, à côté des workers ; sur PostgreSQL, Redis et S3"),
    ("Run calculations only; on PostgreSQL, Redis and S3", "Exécuter seulement les calculs ; sur PostgreSQL, Redis et S3"),
    ("Write a new function to begin with", "Écrire une nouvelle fonction pour commencer"),
    ("Check a function and run its test cases and tests here, without a server", "Contrôler une fonction et exécuter ici ses cas de test et tests, sans serveur"),
    ("Send a function to the server, which checks and tests it", "Envoyer une fonction au serveur, qui la contrôle et la teste"),
    ("Run a function, or a file with --code, and print its result", "Exécuter une fonction, ou un fichier avec --code, et afficher son résultat"),
    ("List, follow, cancel calculations; fetch results and files", "Lister, suivre, annuler des calculs ; récupérer résultats et fichiers"),
    ("Deploy from this Git repository instead; the server fetches it over https", "Déployer plutôt depuis ce dépôt Git ; le serveur le lit par https"),
    ("Branch, tag or whole commit; the default branch unless given", "Branche, étiquette ou commit entier ; la branche par défaut sinon"),
    ("Folder of the repository; all of it unless given", "Dossier du dépôt ; le dépôt entier sinon"),
    ("Read a token that may read the repository from standard input", "Lire sur l’entrée standard un jeton qui permet de lire le dépôt"),
    ("List, show, delete deployed functions", "Lister, afficher, supprimer les fonctions déployées"),
    ("Log in to a server and keep a token for it", "Se connecter à un serveur et garder un jeton pour lui"),
    ("Forget the token that a login kept, and revoke it", "Oublier le jeton gardé par une connexion, et le révoquer"),
    ("Make, list, revoke your own tokens", "Créer, lister, révoquer ses propres jetons"),
    ("List, invite, remove the members of your company; set your password", "Lister, inviter, retirer les membres de son entreprise ; fixer son mot de passe"),
    ("List and create companies, as the platform's administrator", "Lister et créer des entreprises, en administrateur de la plateforme"),
    ("User's name; asked for unless given", "Nom de l’utilisateur ; demandé par défaut"),
    ("Company to act for; that of the last login unless given", "Entreprise pour laquelle agir ; celle de la dernière connexion par défaut"),
    ("Keep this token instead of asking for a password; `-` reads it from standard input", "Garder ce jeton au lieu de demander un mot de passe ; `-` le lit sur l’entrée standard"),
    ("Make a token and print its secret, which is shown this once", "Créer un jeton et afficher son secret, montré cette seule fois"),
    ("What to call the token", "Comment nommer le jeton"),
    ("What it lets through, of read, run, deploy, admin, with commas; everything unless given", "Ce qu’il permet, parmi read, run, deploy, admin, séparés par des virgules ; tout par défaut"),
    ("Days until it ends; never unless given", "Jours avant sa fin ; sans fin par défaut"),
    ("List tokens, the newest first", "Lister les jetons, les plus récents d’abord"),
    ("Revoke a token; it is refused from then on", "Révoquer un jeton ; il est refusé dès lors"),
    ("The token's id", "L’identifiant du jeton"),
    ("List the members of the company", "Lister les membres de l’entreprise"),
    ("Print a link that lets somebody in, or a member choose a new password", "Afficher un lien qui fait entrer quelqu’un, ou fait choisir un nouveau mot de passe à un membre"),
    ("User's name: 1 to 63 characters of a-z, 0-9 and -", "Nom de l’utilisateur : 1 à 63 caractères parmi a-z, 0-9 et -"),
    ("Where mail reaches the user", "Adresse de courriel de l’utilisateur"),
    ("Role of a new member: member, company_admin or admin; member unless given", "Rôle d’un nouveau membre : member, company_admin ou admin ; member par défaut"),
    ("Change a member's role, which ends its sessions", "Changer le rôle d’un membre, ce qui met fin à ses sessions"),
    ("member, company_admin or admin", "member, company_admin ou admin"),
    ("Take a member out of the company, with its tokens", "Retirer un membre de l’entreprise, avec ses jetons"),
    ("Set your own password, which ends your other sessions", "Fixer son propre mot de passe, ce qui met fin à ses autres sessions"),
    ("List all companies", "Lister toutes les entreprises"),
    ("Create a company and print the token of its first administrator", "Créer une entreprise et afficher le jeton de son premier administrateur"),
    ("Company's name: 1 to 63 characters of a-z, 0-9 and -", "Nom de l’entreprise : 1 à 63 caractères parmi a-z, 0-9 et -"),
    ("Name of its first administrator; NAME-admin unless given", "Nom de son premier administrateur ; NOM-admin par défaut"),
    ("Measure how fast the server runs a function", "Mesurer la rapidité du serveur sur une fonction"),
    ("Check whether this machine can run calculations, and say how to mend it", "Vérifier que cette machine peut exécuter des calculs, et dire comment y remédier"),
    ("Print the settings page of the documentation", "Afficher la page des réglages de la documentation"),
    ("Port to listen on, 0 for a free one; 8000 unless given", "Port d’écoute, 0 pour un port libre ; 8000 par défaut"),
    ("Folder with mecapy.yaml and handler.py; the current one unless given", "Dossier avec mecapy.yaml et handler.py ; le dossier courant par défaut"),
    ("Folder to make; its last part names the function", "Dossier à créer ; sa dernière partie nomme la fonction"),
    ("Folder with mecapy.yaml and handler.py, or a ZIP of it; the current one unless given", "Dossier avec mecapy.yaml et handler.py, ou son ZIP ; le dossier courant par défaut"),
    ("Function: `name`, `name@1.2.3`, `company:name` or its id", "Fonction : `nom`, `nom@1.2.3`, `entreprise:nom` ou son identifiant"),
    ("Function: `name`, `name@1.2.3`, `company:name` or its id; none with --code", "Fonction : `nom`, `nom@1.2.3`, `entreprise:nom` ou son identifiant ; aucune avec --code"),
    ("Python file with `calculate`, run without being deployed", "Fichier Python avec `calculate`, exécuté sans être déployé"),
    ("With --code: a package beyond the base image's; may be repeated", "Avec --code : un paquet en plus de ceux de l’image de base ; répétable"),
    ("With --code: python-base, python-scientific or python-cfd", "Avec --code : python-base, python-scientific ou python-cfd"),
    ("With --code: Python version, 3.9 to 3.13", "Avec --code : version de Python, de 3.9 à 3.13"),
    ("Inputs: JSON where it is JSON, else text, e.g. force=1000 section=\"10 cm²\"", "Entrées : JSON si c’en est, sinon texte, p. ex. force=1000 section=\"10 cm²\""),
    ("JSON file with inputs, `-` for standard input; pairs come on top", "Fichier JSON des entrées, `-` pour l’entrée standard ; les paires priment"),
    ("File to upload as an input; may be repeated", "Fichier à envoyer comme entrée ; répétable"),
    ("Longest wait in seconds, 0 only submits; else until it ends", "Attente maximale en secondes, 0 pour seulement soumettre ; sinon jusqu’à la fin"),
    ("Urgency from 0 to 9, 9 first; 5 unless given", "Urgence de 0 à 9, 9 d’abord ; 5 par défaut"),
    ("Time limit of the run in seconds; else the function's own", "Durée limite du calcul en secondes ; sinon celle de la fonction"),
    ("List calculations, the newest first", "Lister les calculs, les plus récents d’abord"),
    ("Only those that are queued, running, completed, failed or cancelled", "Seulement ceux qui sont queued, running, completed, failed ou cancelled"),
    ("How many at most; 20 unless given", "Combien au plus ; 20 par défaut"),
    ("Show one calculation whole, as JSON", "Afficher un calcul en entier, en JSON"),
    ("Print what a calculation wrote", "Afficher ce qu’un calcul a écrit"),
    ("Cancel a calculation, queued or running", "Annuler un calcul, en attente ou en cours"),
    ("Wait for a calculation and print its result", "Attendre un calcul et afficher son résultat"),
    ("List the files that a calculation produced, or fetch them", "Lister les fichiers produits par un calcul, ou les récupérer"),
    ("The calculation's id", "L’identifiant du calcul"),
    ("Folder to save them in; they are only listed unless given", "Dossier où les enregistrer ; sinon ils sont seulement listés"),
    ("List functions", "Lister les fonctions"),
    ("Only those whose name or description holds this", "Seulement celles dont le nom ou la description contient ceci"),
    ("Show one function, its inputs and outputs", "Afficher une fonction, ses entrées et ses sorties"),
    ("Delete a function with all its versions; on a terminal it is asked first", "Supprimer une fonction avec toutes ses versions ; demandé d’abord dans un terminal"),
    ("Function: `name` or its id", "Fonction : `nom` ou son identifiant"),
    ("Don't ask", "Ne pas demander"),
    ("Clients at the same time, each with a connection of its own; 1 unless given", "Clients simultanés, chacun avec sa connexion ; 1 par défaut"),
    ("Requests in all, after the warm-up; 100 unless given", "Requêtes en tout, après l’échauffement ; 100 par défaut"),
    ("Requests before the measurement; one for each client unless given", "Requêtes avant la mesure ; une par client par défaut"),
    ("Write everything the server keeps to one file, while it runs", "Écrire tout ce que conserve le serveur dans un fichier, pendant qu’il tourne"),
    ("File to write, or - for standard output; a new one here unless given", "Fichier à écrire, ou - pour la sortie standard ; un nouveau ici par défaut"),
    ("Encrypt with the passphrase on the first line of this file", "Chiffrer avec la phrase secrète de la première ligne de ce fichier"),
    ("Check this backup from its beginning to its end instead of writing one", "Contrôler cette sauvegarde du début à la fin au lieu d’en écrire une"),
    ("Bring a backup back, into an empty data folder", "Rétablir une sauvegarde, dans un dossier de données vide"),
    ("Backup to restore, or - for standard input", "Sauvegarde à rétablir, ou - pour l’entrée standard"),
    ("Decrypt with the passphrase on the first line of this file", "Déchiffrer avec la phrase secrète de la première ligne de ce fichier"),
    ("Bring the database's schema up, or back to an earlier revision", "Mettre à jour le schéma de la base, ou revenir à une révision antérieure"),
    ("Show which revisions are applied", "Afficher les révisions appliquées"),
    ("Apply every revision that is missing", "Appliquer toutes les révisions manquantes"),
    ("Take back the newest revision, with the data it holds", "Annuler la révision la plus récente, avec ses données"),
    ("Go to a revision, whichever way it lies", "Aller à une révision, dans un sens ou dans l’autre"),
    ("The revision to end at, such as 0001_initial", "La révision d’arrivée, telle que 0001_initial"),
    ("Agree that the data of revisions that are taken back is lost", "Accepter la perte des données des révisions annulées"),
    ("Print what makes a shell complete this program's words", "Afficher de quoi compléter les mots de ce programme dans un interpréteur de commandes"),
    ("The shell: bash, zsh or fish", "L’interpréteur : bash, zsh ou fish"),
    ("Print the manual page, or write one for each command", "Afficher la page de manuel, ou en écrire une par commande"),
    ("Folder to write the pages into, such as /usr/local/share/man/man1", "Dossier où écrire les pages, tel que /usr/local/share/man/man1"),
    ("Print help", "Afficher l’aide"),
    ("Print version", "Afficher la version"),
];

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn untranslated(command: &Command, missing: &mut Vec<String>) {
        let helps = command.get_arguments().filter(|a| !a.is_hide_set()).map(|a| a.get_help());
        let headings =
            command.get_arguments().filter_map(|a| a.get_help_heading()).map(str::to_owned);
        let texts = helps
            .chain([command.get_about(), command.get_after_help()])
            .flatten()
            .map(ToString::to_string)
            .chain(headings);
        missing.extend(texts.filter(|text| french(text).is_empty()));
        for subcommand in command.get_subcommands() {
            untranslated(subcommand, missing);
        }
    }

    #[test]
    fn every_line_of_help_has_a_translation() {
        let mut missing = Vec::new();
        untranslated(&crate::cli::Cli::command(), &mut missing);
        assert!(missing.is_empty(), "{missing:#?}");
    }
}
