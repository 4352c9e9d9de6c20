# Run in the node's root folder by chroot: what kind's images/base/Dockerfile does after its packages are installed.
chmod 0755 /kind /kind/bin /kind/bin/* /usr/local/bin/entrypoint
find /lib/systemd/system/sysinit.target.wants/ -name systemd-tmpfiles-setup.service -delete
rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* /lib/systemd/system/local-fs.target.wants/* \
    /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl* /lib/systemd/system/basic.target.wants/*
echo ReadKMsg=no >> /etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init
# kind builds its own ones.
ln -s /usr/bin/containerd /usr/local/bin/containerd
mkdir -p /opt/cni /etc/kubernetes/manifests
ln -s /usr/lib/cni /opt/cni/bin
# Machines may lack CAP_SYS_RESOURCE.
sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
# As module_utils/node/config.py has it. The key of the older section, in which kind's file is written, is another one.
printf '[plugins."io.containerd.cri.v1.runtime"]\n  stats_collect_period = "10s"\n' >> /etc/containerd/config.toml
ctr oci spec \
    | jq '.hooks.createContainer[.hooks.createContainer | length] |= . + {"path": "/kind/bin/mount-product-files.sh"}' \
    | jq 'del(.process.rlimits)' > /etc/containerd/cri-base.json
systemctl enable kubelet.service containerd.service undo-mount-hacks.service kube-proxy.path kube-router.path
systemctl mask systemd-binfmt.service
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/*
