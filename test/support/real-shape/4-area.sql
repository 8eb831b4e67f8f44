PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE keys (id INTEGER PRIMARY KEY, fieldname TEXT, fieldtype TEXT, CONSTRAINT keyconstraint UNIQUE (fieldname));
INSERT INTO keys VALUES(0,'PLATFORM','TEXT');
INSERT INTO keys VALUES(1,'BRANCH','TEXT');
CREATE TABLE runs (id INTEGER PRIMARY KEY, 
			 PLATFORM TEXT,BRANCH TEXT,
			 runname    TEXT DEFAULT 'norun',
                         contour    TEXT DEFAULT '',
			 state      TEXT DEFAULT '',
			 status     TEXT DEFAULT '',
			 owner      TEXT DEFAULT '',
			 event_time TIMESTAMP DEFAULT (strftime('%s','now')),
			 comment    TEXT DEFAULT '',
			 fail_count INTEGER DEFAULT 0,
			 pass_count INTEGER DEFAULT 0,
                         last_update INTEGER DEFAULT (strftime('%s','now')),
			 CONSTRAINT runsconstraint UNIQUE (runname,PLATFORM,BRANCH));
INSERT INTO runs VALUES(1,'sles','7.1','wk01','','locked','n/a','kim',1809356298,'',0,0,1809356746);
INSERT INTO runs VALUES(4,'sles','7.2','wk02','','new','checked','kim',1809356415,'again',0,0,1809356776);
CREATE TABLE run_stats (
                              id     INTEGER PRIMARY KEY,
                              run_id INTEGER,
                              state  TEXT,
                              status TEXT,
                              count  INTEGER,
                              last_update INTEGER DEFAULT (strftime('%s','now')));
CREATE TABLE test_meta (
                                     id          INTEGER PRIMARY KEY,
                                     testname    TEXT DEFAULT '',
                                     author      TEXT DEFAULT '',
                                     owner       TEXT DEFAULT '',
                                     description TEXT DEFAULT '',
                                     reviewed    TIMESTAMP,
                                     iterated    TEXT DEFAULT '',
                                     avg_runtime REAL,
                                     avg_disk    REAL,
                                     tags        TEXT DEFAULT '',
                                     jobgroup    TEXT DEFAULT 'default',
                                CONSTRAINT test_meta_constraint UNIQUE (testname));
INSERT INTO test_meta VALUES(1,'basic','','pat','compiles and times','never','','','','quick','default');
INSERT INTO test_meta VALUES(2,'matrix','','pat','one of two corners fails','never','','','','corners','default');
INSERT INTO test_meta VALUES(3,'summary','','pat','comes after basic','never','','','','tail','default');
CREATE TABLE tasks_queue (id INTEGER PRIMARY KEY,
                                action TEXT DEFAULT '',
                                owner TEXT,
                                state TEXT DEFAULT 'new',
                                target TEXT DEFAULT '',
                                name TEXT DEFAULT '',
                                testpatt TEXT DEFAULT '',
                                keylock TEXT,
                                params TEXT,
                                creation_time TIMESTAMP DEFAULT (strftime('%s','now')),
                                execution_time TIMESTAMP);
CREATE TABLE archive_disks (
                                id INTEGER PRIMARY KEY,
                                archive_area_name TEXT,
                                disk_path TEXT,
                                last_df INTEGER DEFAULT -1,
                                last_df_time TIMESTAMP DEFAULT (strftime('%s','now')),
                                creation_time TIMESTAMP DEFAULT (strftime('%','now')));
CREATE TABLE archive_blocks (
                                id INTEGER PRIMARY KEY,
                                archive_disk_id INTEGER,
                                disk_path TEXT,
                                last_du INTEGER DEFAULT -1,
                                last_du_time TIMESTAMP DEFAULT (strftime('%s','now')),
                                creation_time TIMESTAMP DEFAULT (strftime('%','now')));
CREATE TABLE archive_allocations (
                                id INTEGER PRIMARY KEY,
                                archive_block_id INTEGER,
                                testname TEXT,
                                item_path TEXT,
                                creation_time TIMESTAMP DEFAULT (strftime('%','now')));
CREATE TABLE extradat (id INTEGER PRIMARY KEY, run_id INTEGER, key TEXT, val TEXT);
CREATE TABLE metadat (id INTEGER PRIMARY KEY, var TEXT, val TEXT,
                                  CONSTRAINT metadat_constraint UNIQUE (var));
INSERT INTO metadat VALUES(2,'MEGATEST_VERSION','1.6506-d48f');
CREATE TABLE access_log (id INTEGER PRIMARY KEY, user TEXT, accessed TIMESTAMP, args TEXT);
CREATE TABLE tests 
                    (id INTEGER PRIMARY KEY,
                     run_id       INTEGER   DEFAULT -1,
                     testname     TEXT      DEFAULT 'noname',
                     host         TEXT      DEFAULT 'n/a',
                     cpuload      REAL      DEFAULT -1,
                     diskfree     INTEGER   DEFAULT -1,
                     uname        TEXT      DEFAULT 'n/a', 
                     rundir       TEXT      DEFAULT '/tmp/badname',
                     shortdir     TEXT      DEFAULT '/tmp/badname',
                     item_path    TEXT      DEFAULT '',
                     state        TEXT      DEFAULT 'NOT_STARTED',
                     status       TEXT      DEFAULT 'FAIL',
                     attemptnum   INTEGER   DEFAULT 0,
                     final_logf   TEXT      DEFAULT 'logs/final.log',
                     logdat       TEXT      DEFAULT '', 
                     run_duration INTEGER   DEFAULT 0,
                     comment      TEXT      DEFAULT '',
                     event_time   TIMESTAMP DEFAULT (strftime('%s','now')),
                     fail_count   INTEGER   DEFAULT 0,
                     pass_count   INTEGER   DEFAULT 0,
                     archived     INTEGER   DEFAULT 0, -- 0=no, > 1=archive block id where test data can be found
                     last_update  INTEGER DEFAULT (strftime('%s','now')),
                        CONSTRAINT testsconstraint UNIQUE (run_id, testname, item_path));
INSERT INTO tests VALUES(1,1,'summary','lab3',5.6100000000000003,109942977,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.1/wk01/summary','/proj/links/q1/sles/7.1/wk01/summary','','COMPLETED','PASS',2682,'logs/final.log','',3,'',1809356327,0,0,0,1809356330);
INSERT INTO tests VALUES(2,1,'matrix','n/a',-1.0,-1,'n/a','/proj/links/q1/sles/7.1/wk01/matrix','/proj/links/q1/sles/7.1/wk01/matrix','','COMPLETED','FAIL',0,'megatest-rollup-matrix.html','',0,'',1809356298,0,0,0,1809356315);
INSERT INTO tests VALUES(3,1,'basic','lab3',5.54,109943355,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.1/wk01/basic','/proj/links/q1/sles/7.1/wk01/basic','','COMPLETED','PASS',2562,'logs/final.log','',6,'',1809356300,2,1,0,1809356328);
INSERT INTO tests VALUES(4,1,'matrix','lab3',5.9100000000000001,109966221,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.1/wk01/matrix/north','/proj/disk1/q1/sles/7.1/wk01/matrix/north','north','COMPLETED','PASS',1514,'logs/final.log','',3,'',1809356298,0,0,0,1809356307);
INSERT INTO tests VALUES(5,1,'matrix','lab3',5.8300000000000001,109964205,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.1/wk01/matrix/south','/proj/disk1/q1/sles/7.1/wk01/matrix/south','south','COMPLETED','FAIL',1793,'logs/final.log','',3,'Failed at step probe',1809356299,0,0,0,1809356314);
INSERT INTO tests VALUES(16,4,'summary','lab3',3.5,110389245,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.2/wk02/summary','/proj/links/q1/sles/7.2/wk02/summary','','COMPLETED','PASS',9453,'logs/final.log','',3,'',1809356568,0,0,0,1809356571);
INSERT INTO tests VALUES(17,4,'matrix','n/a',-1.0,-1,'n/a','/proj/links/q1/sles/7.2/wk02/matrix','/proj/links/q1/sles/7.2/wk02/matrix','','COMPLETED','FAIL',0,'megatest-rollup-matrix.html','',0,'',1809356415,0,0,0,1809356564);
INSERT INTO tests VALUES(18,4,'basic','lab3',3.5,110389257,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.2/wk02/basic','/proj/links/q1/sles/7.2/wk02/basic','','COMPLETED','PASS',9424,'logs/final.log','',6,'',1809356543,2,1,0,1809356570);
INSERT INTO tests VALUES(19,4,'matrix','lab3',4.8799999999999999,110390061,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.2/wk02/matrix/north','/proj/disk1/q1/sles/7.2/wk02/matrix/north','north','COMPLETED','PASS',9276,'logs/final.log','',3,'',1809356541,0,0,0,1809356550);
INSERT INTO tests VALUES(20,4,'matrix','lab3',4.1299999999999999,110389719,'Linux 6.1.0 #2 SMP somewhere x86_64 GNU/Linux','/proj/links/q1/sles/7.2/wk02/matrix/south','/proj/disk1/q1/sles/7.2/wk02/matrix/south','south','COMPLETED','FAIL',9386,'logs/final.log','',3,'Failed at step probe',1809356542,0,0,0,1809356563);
CREATE TABLE test_steps 
                              (id INTEGER PRIMARY KEY,
                               test_id INTEGER, 
                               stepname TEXT, 
                               state TEXT DEFAULT 'NOT_STARTED', 
                               status TEXT DEFAULT 'n/a',
                               event_time TIMESTAMP,
                               comment TEXT DEFAULT '',
                               logfile TEXT DEFAULT '',
                               last_update  INTEGER DEFAULT (strftime('%s','now')),
                               CONSTRAINT test_steps_constraint UNIQUE (test_id,stepname,state));
INSERT INTO test_steps VALUES(1,4,'probe','start','-',1809356304,'','',1809356304);
INSERT INTO test_steps VALUES(2,4,'probe','end','0',1809356306,'','',1809356306);
INSERT INTO test_steps VALUES(3,5,'probe','start','-',1809356311,'','',1809356311);
INSERT INTO test_steps VALUES(4,5,'probe','end','1',1809356313,'','',1809356313);
INSERT INTO test_steps VALUES(5,3,'compile','start','-',1809356322,'','',1809356322);
INSERT INTO test_steps VALUES(6,3,'compile','end','0',1809356324,'','',1809356324);
INSERT INTO test_steps VALUES(7,3,'bench','start','-',1809356324,'','',1809356324);
INSERT INTO test_steps VALUES(8,3,'bench','end','0',1809356326,'','',1809356326);
INSERT INTO test_steps VALUES(9,1,'close','start','-',1809356327,'','',1809356327);
INSERT INTO test_steps VALUES(10,1,'close','end','0',1809356329,'','',1809356329);
INSERT INTO test_steps VALUES(31,19,'probe','start','-',1809356547,'','',1809356547);
INSERT INTO test_steps VALUES(32,19,'probe','end','0',1809356549,'','',1809356549);
INSERT INTO test_steps VALUES(33,20,'probe','start','-',1809356560,'','',1809356560);
INSERT INTO test_steps VALUES(34,20,'probe','end','1',1809356562,'','',1809356562);
INSERT INTO test_steps VALUES(35,18,'compile','start','-',1809356564,'','',1809356564);
INSERT INTO test_steps VALUES(36,18,'compile','end','0',1809356566,'','',1809356566);
INSERT INTO test_steps VALUES(37,18,'bench','start','-',1809356566,'','',1809356566);
INSERT INTO test_steps VALUES(38,18,'bench','end','0',1809356568,'','',1809356568);
INSERT INTO test_steps VALUES(39,16,'close','start','-',1809356568,'','',1809356568);
INSERT INTO test_steps VALUES(40,16,'close','end','0',1809356570,'','',1809356570);
CREATE TABLE test_data (id INTEGER PRIMARY KEY,
                                test_id INTEGER,
                                category TEXT DEFAULT '',
                                variable TEXT,
	                        value REAL,
	                        expected REAL,
	                        tol REAL,
                                units TEXT,
                                comment TEXT DEFAULT '',
                                status TEXT DEFAULT 'n/a',
                                type TEXT DEFAULT '',
                                last_update  INTEGER DEFAULT (strftime('%s','now')),
                              CONSTRAINT test_data_constraint UNIQUE (test_id,category,variable));
INSERT INTO test_data VALUES(1,3,'time','cold',2.7000000000000002,4.0999999999999996,'>','0','','fail','0',1809356325);
INSERT INTO test_data VALUES(2,3,'time','warm',2000000000.3,20000000000.299999,2000000000.3,'0','','fail','0',1809356325);
INSERT INTO test_data VALUES(3,3,'time','hot',2.7000000000000002,4.0999999999999996,'<','','','pass','0',1809356325);
INSERT INTO test_data VALUES(10,18,'time','cold',2.7000000000000002,4.0999999999999996,'>','0','','fail','0',1809356566);
INSERT INTO test_data VALUES(11,18,'time','warm',2000000000.3,20000000000.299999,2000000000.3,'0','','fail','0',1809356566);
INSERT INTO test_data VALUES(12,18,'time','hot',2.7000000000000002,4.0999999999999996,'<','','','pass','0',1809356566);
INSERT INTO test_data VALUES(13,23,'time','cold',2.7000000000000002,4.0999999999999996,'>','0','','fail','0',1809356595);
INSERT INTO test_data VALUES(14,23,'time','warm',2000000000.3,20000000000.299999,2000000000.3,'0','','fail','0',1809356595);
INSERT INTO test_data VALUES(15,23,'time','hot',2.7000000000000002,4.0999999999999996,'<','','','pass','0',1809356595);
CREATE TABLE test_rundat (
                              id           INTEGER PRIMARY KEY,
                              test_id      INTEGER,
                              update_time  TIMESTAMP,
                              cpuload      INTEGER DEFAULT -1,
                              diskfree     INTEGER DEFAULT -1,
                              diskusage    INTGER DEFAULT -1,
                              run_duration INTEGER DEFAULT 0);
CREATE TABLE archives (
                              id           INTEGER PRIMARY KEY,
                              test_id      INTEGER,
                              state        TEXT DEFAULT 'new',
                              status       TEXT DEFAULT 'n/a',
                              archive_type TEXT DEFAULT 'bup',
                              du           INTEGER,
                              archive_path TEXT);
CREATE INDEX runs_index ON runs (runname,PLATFORM,BRANCH);
CREATE INDEX tests_index ON tests (run_id, testname, item_path, uname);
CREATE INDEX teststeps_index ON tests (run_id, testname, item_path);
CREATE INDEX test_data_index ON test_data (test_id);
CREATE TRIGGER update_runs_trigger AFTER UPDATE ON runs
                             FOR EACH ROW
                               BEGIN 
                                 UPDATE runs SET last_update=(strftime('%s','now'))
                                   WHERE id=old.id;
                               END;
CREATE TRIGGER update_run_stats_trigger AFTER UPDATE ON run_stats
                             FOR EACH ROW
                               BEGIN 
                                 UPDATE run_stats SET last_update=(strftime('%s','now'))
                                   WHERE id=old.id;
                               END;
CREATE TRIGGER update_teststeps_trigger AFTER UPDATE ON test_steps
                             FOR EACH ROW
                               BEGIN 
                                 UPDATE test_steps SET last_update=(strftime('%s','now'))
                                   WHERE id=old.id;
                               END;
CREATE TRIGGER update_tests_trigger AFTER UPDATE ON tests
                             FOR EACH ROW
                               BEGIN 
                                 UPDATE tests SET last_update=(strftime('%s','now'))
                                   WHERE id=old.id;
                               END;
CREATE TRIGGER update_test_steps_trigger AFTER UPDATE ON test_steps
                             FOR EACH ROW
                               BEGIN 
                                 UPDATE test_steps SET last_update=(strftime('%s','now'))
                                   WHERE id=old.id;
                               END;
CREATE TRIGGER update_test_data_trigger AFTER UPDATE ON test_data
                             FOR EACH ROW
                               BEGIN 
                                 UPDATE test_data SET last_update=(strftime('%s','now'))
                                   WHERE id=old.id;
                               END;
COMMIT;
