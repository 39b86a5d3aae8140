// mysql2 (the folder is told by MYSQL2): ACT HOST PORT USER PASSWORD DATABASE; see test_drivers.py.
const mysql = require(process.env.MYSQL2);
const [act, host, port, user, password, database] = process.argv.slice(2);
const c = mysql.createConnection({ host, port: Number(port), user, password, database });
c.on('error', (e) => console.error('error event:', e.code || e.message));
const wait = () => setInterval(() => {}, 1000);
const acts = {
  end: () => c.end(),
  close: () => c.close(),
  destroy: () => c.destroy(),
  close_queued: () => {
    c.query('SELECT SLEEP(0.1)', () => {});
    c.query('SELECT 1', () => {});
    c.close();
  },
  forget: () => process.exit(0),
};
c.query('SET SESSION wait_timeout = ' + (act === 'idle' ? 1 : 100), (e) => {
  if (e) throw e;
  c.query('SELECT CONNECTION_ID() AS id', (e2, rows) => {
    if (e2) throw e2;
    console.log(rows[0].id);
    if (!acts[act]) wait();
    else process.stdin.once('data', () => { process.stdin.destroy(); acts[act](); });
  });
});
