//! What each operation does, in French; the English stands at its handler.

/// The French sentence of an operation, by its id.
pub(crate) fn summary(operation: &str) -> Option<&'static str> {
    SUMMARIES.iter().find(|(id, _)| *id == operation).map(|(_, text)| *text)
}

const SUMMARIES: &[(&str, &str)] = &[
    ("listFunctions", "Les fonctions de l'entreprise, les plus récentes d'abord."),
    (
        "deployFunction",
        "Déploie une archive : vérifiée, construite, testée, publiée comme version. Le même contenu deux fois est la même version.",
    ),
    ("getFunction", "Une fonction : ses schémas, limites, environnement et description."),
    (
        "deleteFunction",
        "Supprime une fonction et toutes ses versions. Ses tâches et leurs résultats restent.",
    ),
    ("listVersions", "Les versions d'une fonction, les plus récentes d'abord."),
    ("getArchive", "Le ZIP dont une version est issue, tel qu'il a été envoyé."),
    ("executeFunction", "Exécute une fonction. La tâche est durable dès la réponse."),
    ("getDeployment", "Un déploiement : ses étapes avec leurs durées, et ce qui l'a refusé."),
    ("watchDeployment", "Les événements du déploiement en direct, jusqu'à sa fin."),
    ("listTasks", "Les tâches de l'entreprise, les plus récentes d'abord, sans leurs résultats."),
    (
        "runCode",
        "Exécute du code qui n'est pas déployé : contrôlé, verrouillé et conservé comme une fonction. La tâche est durable dès la réponse.",
    ),
    ("getTask", "Une tâche. `wait` retient la réponse jusqu'à sa fin."),
    ("deleteTask", "Supprime une tâche terminée, avec son résultat, son journal et ses fichiers."),
    (
        "getResult",
        "Le résultat d'une tâche : les octets que sa fonction a écrits, quelle que soit leur taille.",
    ),
    ("getLogs", "Ce qu'une tâche a écrit sur ses sorties standard et d'erreur, jusqu'ici."),
    ("watchTask", "Les événements de la tâche en direct, jusqu'à sa fin."),
    ("listArtifacts", "Les fichiers qu'une tâche a produits."),
    ("getArtifact", "Le contenu d'un fichier qu'une tâche a produit."),
    ("cancelTask", "Annule une tâche, qu'elle attende ou qu'elle s'exécute."),
    ("uploadFile", "Dépose un fichier d'entrée ; sa `ref` est ce qu'on donne à une fonction."),
    ("getFile", "Le contenu d'un fichier déposé, ou produit par une tâche."),
    ("listCompanies", "Toutes les entreprises. Demande le rôle `admin`."),
    (
        "createCompany",
        "Crée une entreprise et son premier administrateur. Demande le rôle `admin`.",
    ),
    (
        "getCompany",
        "Une entreprise : la sienne, ou n'importe laquelle pour un administrateur de la plateforme.",
    ),
    ("getQuotas", "Les bornes d'une entreprise."),
    ("setQuotas", "Fixe les bornes d'une entreprise. Demande le rôle `admin`."),
    ("listMembers", "Les membres d'une entreprise."),
    (
        "putMember",
        "Ajoute un membre avec un premier jeton, ou change le rôle d'un membre. Demande le rôle `company_admin`.",
    ),
    (
        "removeMember",
        "Retire un membre et révoque ses jetons dans l'entreprise. Demande le rôle `company_admin`.",
    ),
    ("showLogin", "Mène un navigateur à la page de connexion."),
    (
        "logIn",
        "Ouvre une session : un cookie contre un nom et un mot de passe. Un formulaire reçoit une redirection, du JSON reçoit le compte.",
    ),
    ("acceptInvitation", "Accepte une invitation avec un mot de passe, et ouvre une session."),
    ("logOut", "Met fin à la session du cookie, ou révoque le jeton de la requête."),
    ("getAccount", "Pour qui parle la requête, dans quelle entreprise, avec quelles portées."),
    ("setPassword", "Fixe son propre mot de passe et met fin à ses autres sessions."),
    ("switchCompany", "Fait agir la session pour une autre de ses entreprises."),
    (
        "invite",
        "Invite quelqu'un dans une entreprise, ou fait choisir un nouveau mot de passe à un membre : un lien à usage unique, valable une semaine. Demande le rôle `company_admin`.",
    ),
    ("listInvitations", "Les invitations d'une entreprise. Demande le rôle `company_admin`."),
    ("revokeInvitation", "Révoque une invitation ouverte. Demande le rôle `company_admin`."),
    (
        "listAudit",
        "Qui a fait quoi, le plus récent d'abord : dans son entreprise pour le rôle `company_admin`, partout pour `admin`.",
    ),
    ("listTokens", "Ses propres jetons dans cette entreprise, les plus récents d'abord."),
    ("createToken", "Crée un jeton pour l'entreprise ; son secret n'est montré qu'une fois."),
    ("revokeToken", "Révoque un de ses jetons, ou celui d'un membre avec le rôle `company_admin`."),
    ("getQueue", "Ce qui attend et s'exécute, et combien de bacs à sable sont prêts."),
    (
        "watchQueue",
        "Tout ce qui arrive dans l'entreprise en direct : ses tâches, ses déploiements, sa file.",
    ),
    ("listWorkers", "Les exécutants."),
    ("health", "L'état de la plateforme, partie par partie."),
    ("live", "Si le processus vit."),
    ("ready", "Si des requêtes peuvent être envoyées ici."),
    ("metrics", "Les mesures au format texte de Prometheus."),
];
