-- database: clicks-v1
DROP TABLE settled_hours_v1;
DROP TABLE settled_days_v1;
