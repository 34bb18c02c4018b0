# The packages that are built and tested together, for cargo; to be sourced. Apart are torture, for
# which the library notes each crash point, the benchmarks, the native Python module, and the link,
# for which Zenoh is built.
packages=(--workspace)
for package in torture io-shared-bench io-shared-python io-shared-link; do
    packages+=(--exclude "$package")
done
