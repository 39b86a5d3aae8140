// go-sql-driver/mysql: ACT HOST PORT USER PASSWORD DATABASE; see test_drivers.py.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"time"

	_ "github.com/go-sql-driver/mysql"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	act, a := os.Args[1], os.Args[2:]
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@tcp(%s:%s)/%s", a[2], a[3], a[0], a[1], a[4]))
	check(err)
	conn, err := db.Conn(context.Background())
	check(err)
	seconds := 100
	if act == "idle" {
		seconds = 1
	}
	_, err = conn.ExecContext(context.Background(), fmt.Sprintf("SET SESSION wait_timeout = %d", seconds))
	check(err)
	var id int
	check(conn.QueryRowContext(context.Background(), "SELECT CONNECTION_ID()").Scan(&id))
	fmt.Println(id)
	if act == "killed" || act == "idle" {
		time.Sleep(time.Minute)
	}
	bufio.NewReader(os.Stdin).ReadString('\n')
	switch act {
	case "close":
		conn.Close()
		db.Close()
	case "rows_open":
		rows, err := conn.QueryContext(context.Background(), "SELECT REPEAT('x', 1000000) FROM information_schema.columns LIMIT 40")
		check(err)
		rows.Next()
	}
}
