-- What an archive was made from, where that is a Git repository: its URL without
-- credentials, branch or tag, commit and folder, as JSON.
ALTER TABLE deployments ADD COLUMN source TEXT;
