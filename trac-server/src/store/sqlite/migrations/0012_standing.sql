-- Whether a click stands for a promotion code is asked of every click that a payment names.
CREATE INDEX promotion_code_click ON promotion_code (workspace_id, mode, click_id);
INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES
    ('promotion_code', 'promotion_code', '10000 10000 5000 2 1'),
    ('promotion_code', 'promotion_code_held', '10000 10000 5000 1'),
    ('promotion_code', 'promotion_code_enrollment', '10000 10000 5000 5'),
    ('promotion_code', 'promotion_code_click', '10000 10000 5000 1');
