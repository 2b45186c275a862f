-- database: accounts-v1
DROP TABLE api_keys_v1;
DROP TABLE invitations_v1;
DROP TABLE workspace_members_v1;
DROP TABLE workspaces_v1;
DROP TABLE users_v1;
DROP TABLE parked_events;
DROP TABLE projection_checkpoints;
