# Built from the lock file alone; pin the base by digest where it is built.
FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/headgate
COPY requirements.lock pyproject.toml README.md LICENSE ./
RUN /opt/headgate/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY operator operator
RUN /opt/headgate/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim
COPY --from=build /opt/headgate /opt/headgate
USER 10001:10001
ENV PATH=/opt/headgate/bin:$PATH PYTHONUNBUFFERED=1
ENTRYPOINT ["headgate"]
CMD ["run"]
