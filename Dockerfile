# An image that serves one run over HTTP: docs/use_a_model.md#over-http
#   make export-run run=ID to=model.zip && docker build -t my-model . && docker run -p 127.0.0.1:5001:5001 my-model
FROM python:3.11-slim
WORKDIR /app
COPY requirements.lock .
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY conf conf
COPY src src
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .
COPY model.zip .
RUN useradd --create-home reprise && chown reprise /app
USER reprise
EXPOSE 5001
CMD ["reprise", "serve", "run=model.zip", "host=0.0.0.0"]
