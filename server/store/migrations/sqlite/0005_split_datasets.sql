-- A split may draw on several datasets; source: the number of an item's dataset among them.
CREATE TABLE split_datasets(split INTEGER NOT NULL, source INTEGER NOT NULL, dataset INTEGER NOT NULL,
  PRIMARY KEY(split, source)) WITHOUT ROWID;
CREATE INDEX split_datasets_dataset ON split_datasets(dataset);
INSERT INTO split_datasets SELECT no, 0, dataset FROM splits;
DROP INDEX splits_dataset;
ALTER TABLE splits DROP COLUMN dataset;
-- When it was deleted, in milliseconds since 1970; 0: it is there.
ALTER TABLE splits ADD COLUMN delete_ms INTEGER NOT NULL DEFAULT 0;
-- That each item is in one part is the splitter's promise, and looked at when the store is checked.
DROP INDEX split_items_item;
ALTER TABLE split_items ADD COLUMN source INTEGER NOT NULL DEFAULT 0;
