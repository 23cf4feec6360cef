-- The claim that has given the job to its claimant, and whether it has started the job. A claimant that has lost the
-- answer of a claim asks for it again.
ALTER TABLE queue RENAME COLUMN started_by TO claim;
ALTER TABLE queue ADD COLUMN claim_started boolean NOT NULL DEFAULT false;
