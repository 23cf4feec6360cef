-- The claim that has given the job to its claimant, and whether it has started the job. A claimant that has lost the
-- answer asks for it.
ALTER TABLE queue RENAME COLUMN started_by TO claim;
ALTER TABLE queue ADD COLUMN claim_started boolean NOT NULL DEFAULT false;
