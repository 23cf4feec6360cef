SET search_path = job_engine;

-- The process of each claimant. A process sets its name as `application_name`.
CREATE TABLE audit_claimants (claimant uuid PRIMARY KEY, application text NOT NULL);
CREATE TABLE audit_wrong (job uuid, what text, application text);

CREATE FUNCTION audit_is_mine(whose uuid) RETURNS boolean LANGUAGE sql SET search_path = job_engine AS $$
    SELECT EXISTS (
        SELECT FROM audit_claimants
        WHERE claimant = whose AND application = current_setting('application_name')
    )
$$;

CREATE FUNCTION audit_complain(job uuid, what text) RETURNS void LANGUAGE sql SET search_path = job_engine AS $$
    INSERT INTO audit_wrong VALUES (job, what, current_setting('application_name'))
$$;

CREATE FUNCTION audit_has_lease(claimant uuid, until timestamptz) RETURNS boolean LANGUAGE sql
SET search_path = job_engine AS $$
    SELECT coalesce(until > now(), false) AND audit_is_mine(claimant)
$$;

-- A statement that began after the end of a lease must not have taken effect under it.
CREATE FUNCTION audit_queue() RETURNS trigger LANGUAGE plpgsql SET search_path = job_engine AS $$
BEGIN
    -- A claim is allowed, after the end of a lease also one by the earlier claimant.
    IF TG_OP = 'UPDATE' AND NEW.claimant IS NOT NULL
            AND (NEW.claimant IS DISTINCT FROM OLD.claimant OR OLD.until <= now() AND NEW.until > OLD.until) THEN
        INSERT INTO audit_claimants VALUES (NEW.claimant, current_setting('application_name')) ON CONFLICT DO NOTHING;
        IF OLD.claimant IS NOT NULL AND OLD.until > clock_timestamp() THEN
            PERFORM audit_complain(OLD.job, 'claimed while another has it');
        END IF;
    ELSIF TG_OP = 'UPDATE' AND NEW.revision <> OLD.revision AND NEW.state <> 2
            OR TG_OP = 'DELETE' AND OLD.state <> 0 THEN
        IF NOT audit_has_lease(OLD.claimant, OLD.until) THEN
            PERFORM audit_complain(OLD.job, 'moved without a lease');
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION audit_block() RETURNS trigger LANGUAGE plpgsql SET search_path = job_engine AS $$
DECLARE held queue%ROWTYPE;
BEGIN
    SELECT * INTO held FROM queue WHERE job = NEW.job;
    IF NOT FOUND OR held.state = 0 OR held.attempt <> NEW.attempt
            OR NOT audit_has_lease(held.claimant, held.until) THEN
        PERFORM audit_complain(NEW.job, 'rows were written without a lease');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION audit_checkpoint() RETURNS trigger LANGUAGE plpgsql SET search_path = job_engine AS $$
DECLARE held queue%ROWTYPE;
BEGIN
    SELECT * INTO held FROM queue WHERE job = NEW.job;
    IF NOT FOUND OR NOT audit_has_lease(held.claimant, held.until) THEN
        PERFORM audit_complain(NEW.job, 'a checkpoint was written without a lease');
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER audit AFTER UPDATE OR DELETE ON queue FOR EACH ROW EXECUTE FUNCTION audit_queue();
CREATE TRIGGER audit BEFORE INSERT OR UPDATE ON blocks FOR EACH ROW EXECUTE FUNCTION audit_block();
CREATE TRIGGER audit BEFORE INSERT OR UPDATE ON checkpoints FOR EACH ROW EXECUTE FUNCTION audit_checkpoint();
