# Starts a service manager of a user in namespaces of its own: user_manager.sh DIRECTORY. It needs root. What it runs is in a control
# group of its own, which is gone afterwards.
set -e
if [ -d /sys/fs/cgroup/systemd ]; then controls=/sys/fs/cgroup/systemd; else controls=/sys/fs/cgroup; fi
group=$controls/$(basename "$1")
mkdir "$group"
trap 'find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true' EXIT
sh -c 'echo $$ > "$1/cgroup.procs" && exec unshare --mount --cgroup --net --pid --fork --kill-child --mount-proc sh -c "$2" sh "$3"' sh "$group" '
set -e
mount --make-rprivate /
ip link set lo up
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
umount -l "$1"
if [ "$1" = /sys/fs/cgroup ]; then mount -t cgroup2 cgroup2 "$1"; else mount -t cgroup -o none,name=systemd cgroup "$1"; fi
# The first process of its namespace would be the manager of a system.
/lib/systemd/systemd --user --log-target=null &
manager=$!
trap "kill -TERM $manager" TERM
wait $manager || wait $manager || true
' "$controls"
