# The storage of two hosts, which are root's, who comes by ssh: b.example.org.
cat $files/hosts >>/etc/hosts
mkdir -p /run/sshd /root/.ssh
chmod 700 /root /root/.ssh
cp $files/key.pub /root/.ssh/authorized_keys
cp $files/key hostkey
chmod 600 hostkey
/usr/sbin/sshd -f /dev/null -h $PWD/hostkey -o UsePAM=no -o PermitRootLogin=yes -o 'Subsystem=sftp internal-sftp'
touch $files/storage-listens
await '[[ -e $files/done ]]'
