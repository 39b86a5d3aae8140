// MariaDB Connector/J: ACT HOST PORT USER PASSWORD DATABASE; see test_drivers.py.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.Statement;
import java.util.Properties;

public class Client {
    public static void main(String[] a) throws Exception {
        Properties account = new Properties();
        account.setProperty("user", a[3]);
        account.setProperty("password", a[4]);
        Connection c = DriverManager.getConnection("jdbc:mariadb://" + a[1] + ":" + a[2] + "/" + a[5], account);
        Statement s = c.createStatement();
        s.execute("SET SESSION wait_timeout = " + (a[0].equals("idle") ? 1 : 100));
        ResultSet r = s.executeQuery("SELECT CONNECTION_ID()");
        r.next();
        System.out.println(r.getLong(1));
        r.close();
        if (a[0].equals("killed") || a[0].equals("idle"))
            Thread.sleep(60000);
        System.in.read();
        if (a[0].equals("close"))
            c.close();
        if (a[0].equals("abort"))
            c.abort(Runnable::run);
        System.exit(0);
    }
}
