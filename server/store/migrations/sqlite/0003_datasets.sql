-- What an item has beside uri and label: labels, group, tags, subset (see core/experiment/item_codec.h); empty for a plain
-- item.
ALTER TABLE items ADD COLUMN more BLOB NOT NULL DEFAULT x'';

-- When a dataset was deleted, 0 if it is not; and what tells its content, hexadecimal, '' where it is not known.
ALTER TABLE datasets ADD COLUMN delete_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE datasets ADD COLUMN fingerprint TEXT NOT NULL DEFAULT '';
